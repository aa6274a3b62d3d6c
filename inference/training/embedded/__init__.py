"""How the models that come with the node were trained: on drawn chests, with their true lesions known."""
