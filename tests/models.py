"""Models that load and run quickly, for tests that look at something else; the acceptance tests use the default."""

from config.settings import Inference, Settings

QUICK = Inference(segmenter="threshold", backend="eager")
QUICK_SETTINGS = Settings(inference=QUICK)
