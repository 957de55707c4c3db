"""Learn to find what is where in a picture: the network, what it should say, how pictures change, and how it is taught."""
