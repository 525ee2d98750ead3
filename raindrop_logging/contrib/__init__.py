"""A few lines each, for frameworks that answer requests, and for processes that end without Python's own end.

    asgi         RaindropMiddleware(app)       binds each request and WebSocket: FastAPI, Starlette, any other
                 deliver_at_shutdown(app)      uvicorn, whose processes die by the signal that stopped them
    aws_lambda   @deliver()                    a function is frozen as soon as it has returned
    celery       install()                     binds tasks as their senders were; children leave with os._exit, and the
                                               worker empties the root logger
    django       RaindropMiddleware            binds each request, with its authenticated user
    gunicorn     post_worker_init, worker_exit the hooks of a gunicorn.conf.py
    loguru       logger.add(RaindropSink())    its records hold blocks as well
    rq           DrainingWorker                work horses leave with os._exit
    wsgi         RaindropMiddleware(app)       binds each request: Flask, any other

`binding` is what the middlewares share.

Each imports its framework when it is used, and is used by nobody else in the package.
"""
