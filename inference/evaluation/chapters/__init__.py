"""What a report says, part by part, in the order of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378)."""
