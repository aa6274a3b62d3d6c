"""What each kind of annotation object marks, one kind a module; `inference/annotation_files.py` puts them together."""
