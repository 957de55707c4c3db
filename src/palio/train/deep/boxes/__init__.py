"""Learn to find what is where in a picture: the network, what it should say, and how pictures change."""
