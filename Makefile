# An index of plain commands.
.PHONY: build demo test race peers bench compare check cross ci

build: ; CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o holdfast ./cmd/holdfast
demo:  ; go run ./cmd/holdfast demo
test:  ; go test ./...
race:  ; go test -race ./gateway/... ./drivers/... ./journal/... ./engine/... ./steps/... ./internal/...
peers: ; go test -tags peers ./steps
bench: ; go test -run '^$$' -bench . -benchtime 2s ./journal ./engine ./engine/script ./gateway ./drivers/modbus ./internal/app
compare: ; bash bench/run.sh
check: ; go run ./cmd/holdfast check --config configs/holdfast.yaml
cross: ; for a in amd64 arm64 arm; do CGO_ENABLED=0 GOOS=linux GOARCH=$$a GOARM=7 go build -trimpath -ldflags "-s -w" -o dist/holdfast-linux-$$a ./cmd/holdfast || exit 1; done
ci:    ; bash .ci/run
