"""The web server: ``gunicorn -c python:config.gunicorn``, here and in a deployment.

gunicorn reads every name of this module that is a setting of its; its own command line options win.
"""

import os
import signal
from typing import Any

from config.embedded.launch import end_with_parent
from config.embedded.places import SHARED_MEMORY

wsgi_app = "config.wsgi"
bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS", "2"))
worker_class = "config.web_worker.FairWorker"
threads = int(os.environ.get("WEB_THREADS", "4"))
# The application is loaded once and shared: half the memory, and a mistake in it ends the start at once.
preload_app = True
keepalive = 20
timeout = 60
graceful_timeout = 3
# Heartbeats go through a file; on a disk they would wait for it.
worker_tmp_dir = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
control_socket_disable = True  # It would lie in the home folder, one for all shops of this user.

accesslog = "-"
# No query and no visitor: what a buyer looks for and who he is are not the log's business.
access_log_format = "%(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"


def post_fork(server: Any, worker: Any) -> None:
    """Have a worker die with its master, also when that is killed."""
    end_with_parent(signal.SIGKILL, server.pid)
