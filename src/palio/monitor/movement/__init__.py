"""Whether what comes in and goes out has moved away from what the model was trained on."""
