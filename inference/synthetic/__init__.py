"""The parts that `inference/phantom.py` is drawn from: a thorax, tubes and lesions of known shape."""
