package opcuatest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"holdfast/gateway/tag"
)

// The layout of an unsecured chunk (OPC 10000-6, 6.7.2), and the encodings of
// the two messages that a refusal changes (OPC 10000-6, A.3).
const (
	chunkHeader = 8  // its type, whether it is the last of its message, its size
	chunkBody   = 24 // where the message begins, after the channel, the token, and the sequence
	chunkMost   = 1 << 20

	createMonitoredItemsRequest  = 751
	createMonitoredItemsResponse = 754
)

// refusal makes the server refuse to monitor some variables, of which the
// library has no way. On its way to the server such a variable is given the name
// of none, and the answer to that another status.
type refusal struct {
	mu    sync.Mutex
	code  tag.StatusCode
	names []string
	count int // answers that were changed
}

func (r *refusal) set(code tag.StatusCode, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.code, r.names = code, names
}

// request changes a chunk to the server.
func (r *refusal) request(chunk []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !carries(chunk, createMonitoredItemsRequest) {
		return
	}
	for _, name := range r.names {
		node := append(binary.LittleEndian.AppendUint32(nil, uint32(len(name))), name...)
		for rest := chunk[chunkBody:]; ; {
			at := bytes.Index(rest, node)
			if at < 0 {
				break
			}
			rest[at+4] = 0
			rest = rest[at+len(node):]
		}
	}
}

// response changes a chunk to the client.
func (r *refusal) response(chunk []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) == 0 || !carries(chunk, createMonitoredItemsResponse) {
		return
	}
	unknown := binary.LittleEndian.AppendUint32(nil, uint32(tag.BadNodeIdUnknown))
	if !bytes.Contains(chunk[chunkBody:], unknown) {
		return
	}
	r.count++
	code := binary.LittleEndian.AppendUint32(nil, uint32(r.code))
	copy(chunk[chunkBody:], bytes.ReplaceAll(chunk[chunkBody:], unknown, code))
}

// carries reports whether the chunk is a whole message with that encoding.
func carries(chunk []byte, encoding uint16) bool {
	return len(chunk) > chunkBody+4 && string(chunk[:4]) == "MSGF" &&
		chunk[chunkBody] == 1 && binary.LittleEndian.Uint16(chunk[chunkBody+2:]) == encoding
}

// nextChunk reads a chunk. What is none ends the connection.
func nextChunk(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(chunkHeader)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if n < chunkHeader || n > chunkMost {
		return nil, io.ErrUnexpectedEOF
	}
	chunk := make([]byte, n)
	_, err = io.ReadFull(r, chunk)
	return chunk, err
}
