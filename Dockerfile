# One image for both services, for provisioning, for the pages of the contracts and for the live view: five static binaries and the contracts.

FROM golang:1.26.8-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /out/ ./services/contract/cmd/contract ./services/billing/cmd/billing ./tools/eventgen ./tools/docsite ./tools/live/cmd/live

FROM alpine:3.22
RUN apk add --no-cache ca-certificates tzdata
WORKDIR /app
COPY --from=build /out/ /usr/local/bin/
COPY specs specs
COPY docs docs
RUN mkdir /credentials && chown 65532:65532 /credentials # what a new volume there takes over
USER 65532:65532
EXPOSE 8080 8081 8082 8083 8087
