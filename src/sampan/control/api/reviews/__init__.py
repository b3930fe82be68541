"""Questions to the API that are posted: may somebody, and who is somebody."""
