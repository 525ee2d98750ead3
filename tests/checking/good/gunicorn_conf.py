# not run: gunicorn puts it on top of tables of its own
"""What a gunicorn.conf.py adds to gunicorn's own configuration."""

bind = "127.0.0.1:8000"
workers = 2
logconfig_dict = {
    "disable_existing_loggers": False,
    "handlers": {"raindrop": {"class": "raindrop_logging.RaindropHandler", "service_name": "shop"}},
    "root": {"level": "INFO", "handlers": ["raindrop"]},
}
