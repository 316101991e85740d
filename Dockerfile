# Two images: `docker build .` trains; `docker build --target tracker .` keeps the runs of a team (docs/team.md) and
# needs neither torch nor this package. Both install what constraints.txt pins.

FROM python:3.11.15-slim-trixie AS base
ENV PATH=/venv/bin:$PATH
# A fixed id, so that volumes keep their owner from one image to the next. A new volume takes the folder's owner.
RUN useradd --uid 1000 --user-group --no-create-home --home-dir /tmp occupancy \
    && install --directory --owner=occupancy --group=occupancy /data /store /artifacts

FROM base AS builder
WORKDIR /source
COPY constraints.txt ./
RUN python -m venv /venv \
    && pip install --no-cache-dir --constraint constraints.txt --upgrade pip

FROM builder AS tracker-builder
RUN pip install --no-cache-dir --constraint constraints.txt mlflow "psycopg[binary]"

FROM builder AS trainer-builder
# Where torch comes from. PyPI has no build of it for Linux on x86-64 without CUDA, which is gigabytes; its makers'
# own index has, so this one address must stand here. For CUDA: --build-arg TORCH_INDEX=.../whl/<cu and its version>.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Torch alone: what it needs follows from where the other packages come from, in the versions of constraints.txt.
RUN pip install --no-cache-dir --constraint constraints.txt --no-deps --index-url "$TORCH_INDEX" torch
COPY pyproject.toml README.md LICENSE ./
COPY data/folds data/folds
COPY occupancy occupancy
RUN pip install --no-cache-dir --constraint constraints.txt --build-constraint constraints.txt ".[postgres]"

FROM base AS tracker
COPY --from=tracker-builder /venv /venv
USER 1000:1000
VOLUME /artifacts
EXPOSE 5000
# What to listen on, and where the database is, says docker-compose.yml.
CMD ["mlflow", "server", "--help"]

FROM base AS trainer
COPY --from=trainer-builder /venv /venv
COPY configs /configs
# HOME is for caches, and must be writable for whoever runs the image (--user).
ENV OCCUPANCY_DATA_DIR=/data HOME=/tmp
USER 1000:1000
VOLUME /data /store
# The default store is a file in the working directory.
WORKDIR /store
ENTRYPOINT ["python", "-m", "occupancy.train"]
CMD ["--help"]
