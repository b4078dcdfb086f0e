"""Settings, URLs, the Celery application and the embedded servers."""
