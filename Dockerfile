# The command in a container, for engines that start many of it: docs/scale.md.
#
#     docker build --tag registry.example.com/platform/provisioner:0.3.0 .
#     docker run --rm --volume "$PWD/specs:/specs:ro" registry.example.com/platform/provisioner:0.3.0 validate /specs
FROM python:3.13.9-slim-trixie AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE requirements.lock ./
COPY provisioner provisioner
COPY local_aws local_aws
COPY schemas schemas
# In the versions that were tried, also of what builds the package. The lock has more than is installed here.
RUN sed -n 's/^\([a-z0-9-]*==[^\\]*\).*/\1/p' requirements.lock > /tmp/constraints.txt \
    && python -m venv /opt/provisioner \
    && PIP_CONSTRAINT=/tmp/constraints.txt /opt/provisioner/bin/pip install --no-cache-dir --only-binary :all: \
        ".[dask,policy]"

FROM python:3.13.9-slim-trixie
COPY --from=build /opt/provisioner /opt/provisioner
ENV PATH=/opt/provisioner/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
# Nobody's, with nothing to write to; by number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /specs
ENTRYPOINT ["provisioner"]
CMD ["--help"]
