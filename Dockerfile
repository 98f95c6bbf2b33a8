# One image for every process: API, worker, beat, Flower, migrations, and the HubSpot sandbox. What a
# container does is its command, and its health check depends on that: both are in
# docker-compose.yml and in the Kubernetes manifests. It runs as a user without rights, on a
# read-only root file system that has a writable /tmp.
#
# The base is pinned by its exact tag. Add the digest that your registry shows for it.

FROM python:3.13.15-slim-trixie AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
# pip and the build backend stay behind in an environment of their own; the image's has neither.
RUN python -m venv tools && python -m venv --without-pip /opt/callsync
COPY deploy/requirements.lock deploy/build-requirements.lock deploy/
RUN tools/bin/pip --python /opt/callsync/bin/python install --quiet \
        --require-hashes --only-binary :all: --requirement deploy/requirements.lock \
    && tools/bin/pip install --quiet \
        --require-hashes --only-binary :all: --requirement deploy/build-requirements.lock
COPY . .
RUN tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python /opt/callsync/bin/python install --quiet --no-deps dist/*.whl

# The proxy in front of the API, of the same base so that there is one to update.
FROM python:3.13.15-slim-trixie AS proxy
RUN apt-get update -q && apt-get install -qy --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/proxy/nginx.conf /etc/nginx/nginx.conf
# What has been taken is passed on before it ends.
STOPSIGNAL SIGQUIT
USER 10001:10001
CMD ["nginx", "-e", "/dev/stderr", "-g", "daemon off;"]

FROM python:3.13.15-slim-trixie AS service
RUN groupadd --system --gid 10001 callsync \
    && useradd --system --uid 10001 --gid callsync --no-create-home --home-dir /tmp callsync
WORKDIR /app
COPY --from=build /opt/callsync /opt/callsync
COPY alembic.ini .env.example ./
COPY alembic alembic
# Each thread's own malloc arena keeps what it has freed: with 256 threads that is most of the memory.
ENV PATH=/opt/callsync/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
# The commands of the processes are exec'ed as they are: signals reach them without a shell between.
CMD ["granian", "--interface", "wsgi", "api.wsgi:app", "--host", "0.0.0.0", "--port", "8000", \
     "--blocking-threads", "256", "--no-ws", "--http", "1"]
