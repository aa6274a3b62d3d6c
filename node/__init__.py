"""The DICOM node: receives, decides, runs the analysis, delivers. Start at `app.py`."""
