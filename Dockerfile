# The operator alone in an empty image: one static binary, which carries the roots of trust it needs.

ARG RUST_VERSION=1.95
FROM rust:${RUST_VERSION}-alpine AS build
# For ring, which compiles C.
RUN apk add --no-cache musl-dev
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY src src
# The manifest names it as a member of the workspace; nothing of it goes into the image.
COPY tests tests
RUN cargo build --release --locked --bin onetimeshare

FROM scratch
COPY --from=build /source/target/release/onetimeshare /onetimeshare
# As the chart says.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/onetimeshare"]
CMD ["controller"]
