package prom

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
)

const (
	protobuf = "application/x-protobuf"
	// batch bounds the samples of one request.
	batch = 100_000
)

// Stale is the value that ends a series until it has another.
var Stale = math.Float64frombits(0x7ff0000000000002)

// Write stores series, by remote write 1.0. The name of a metric is its label
// __name__.
func (s *Server) Write(ctx context.Context, series []Series) error {
	var request []byte
	n := 0
	for i, one := range series {
		request = appendField(request, 1, encode(one))
		n += len(one.Samples)
		if n < batch && i != len(series)-1 {
			continue
		}
		if _, err := s.do(ctx, http.MethodPost, "/api/v1/write", protobuf, bytes.NewReader(snappy(request))); err != nil {
			return fmt.Errorf("write %d samples: %w", n, err)
		}
		request, n = request[:0], 0
	}
	return nil
}

// encode is the message TimeSeries: labels, sorted by name, and samples.
func encode(s Series) []byte {
	var out []byte
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		label := appendField(nil, 1, []byte(name))
		out = appendField(out, 1, appendField(label, 2, []byte(s.Labels[name])))
	}
	for _, v := range s.Samples {
		sample := binary.LittleEndian.AppendUint64([]byte{1<<3 | 1}, math.Float64bits(v.Value))
		out = appendField(out, 2, binary.AppendUvarint(append(sample, 2<<3), uint64(v.At)))
	}
	return out
}

// appendField appends a field of protobuf's wire type 2.
func appendField(to []byte, number byte, content []byte) []byte {
	to = binary.AppendUvarint(append(to, number<<3|2), uint64(len(content)))
	return append(to, content...)
}

// snappy wraps data in snappy's block format, as literals: what goes over
// loopback needs no compression.
func snappy(data []byte) []byte {
	out := binary.AppendUvarint(make([]byte, 0, len(data)+len(data)/1000+16), uint64(len(data)))
	for part := range slices.Chunk(data, 1<<16) {
		const literalOfTwoBytes = 61 << 2
		out = append(out, literalOfTwoBytes, byte(len(part)-1), byte((len(part)-1)>>8))
		out = append(out, part...)
	}
	return out
}
