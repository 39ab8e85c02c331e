# The operator alone in an empty image: one static binary, which carries the roots of trust it needs.
# `make image-check` does what both stages say, without their base images, and refuses instructions that it does not know.

# A tag can be moved. For a build that can be repeated, give the digest: --build-arg BUILD_IMAGE=rust@sha256:…
ARG BUILD_IMAGE=rust:1.95.0-alpine3.23
FROM ${BUILD_IMAGE} AS build
WORKDIR /source
# For the C of the allocator.
RUN apk add --no-cache make
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY src src
# The manifest names it as a member of the workspace; nothing of it goes into the image.
COPY tests tests
RUN cargo build --release --locked --bin onetimeshare

FROM scratch
LABEL org.opencontainers.image.title="onetimeshare" \
      org.opencontainers.image.description="A Kubernetes operator that puts a Secret's value behind a one-time link at Onetime Secret" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.2.0"
COPY --from=build --chmod=0755 /source/target/release/onetimeshare /onetimeshare
# As the chart says.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/onetimeshare"]
CMD ["controller"]
