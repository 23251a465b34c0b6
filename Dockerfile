# tlslift in an image of one static binary and the CA certificates: no shell, no root, nothing else.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) --build-arg REVISION=$(git rev-parse HEAD) -t tlslift .
#
# The builder image comes from a registry and is pinned by the digest of its index, so it is the same for every platform.
# To move to another, take the digest that `docker buildx imagetools inspect golang:TAG` prints. The build step is
# `make build`, which the checks run as well, so that what is put into the image is proved even without a registry.
FROM golang:1.26.8@sha256:6c2a5538f964f1c82f97ad14988bf05de100d922d159d0e398b54c7b0ca0c6c9 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG REVISION=unknown
RUN make build VERSION="$VERSION" REVISION="$REVISION" BIN=/out

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/tlslift /tlslift
COPY LICENSE docs/third-party-notices.txt /licenses/
# An uncommon number, so that a redirect can exempt exactly this process.
USER 47128:47128
EXPOSE 3128 9129
ENTRYPOINT ["/tlslift"]
