"""A few lines each, for places whose processes end without Python's own end, or stop before it, and for loguru.

asgi         deliver_at_shutdown(app)      uvicorn, whose processes die by the signal that stopped them
aws_lambda   @deliver()                    a function is frozen as soon as it has returned
celery       install()                     children leave with os._exit, and the worker empties the root logger
gunicorn     post_worker_init, worker_exit the hooks of a gunicorn.conf.py
loguru       logger.add(RaindropSink())    its records hold blocks as well
rq           DrainingWorker                work horses leave with os._exit

Each imports its framework when it is used, and is used by nobody else in the package.
"""
