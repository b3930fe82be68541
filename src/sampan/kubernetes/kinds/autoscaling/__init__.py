"""HorizontalPodAutoscaler in its two versions."""
