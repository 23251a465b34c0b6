package logsink

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"
)

// moody is a reader that takes all, nothing, or a part.
type moody struct {
	text strings.Builder
	mood atomic.Int32
	r    *rand.Rand
}

func (m *moody) Write(p []byte) (int, error) {
	n := len(p)
	switch mood := m.mood.Load(); {
	case mood == 1, mood == 2 && m.r.IntN(3) == 0:
		n = m.r.IntN(len(p))
	case mood == 3:
		n = 0
	}
	m.text.WriteString(string(p[:n]))
	if n < len(p) {
		return n, errors.New("full")
	}
	return n, nil
}

// TestEachLineIsWrittenOrCounted, once, whatever the reader takes, and each lost one
// is said once or returned by Close.
func TestEachLineIsWrittenOrCounted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			out := &moody{r: rand.New(rand.NewPCG(seed, 2))}
			s := New(out, func(n uint64) []byte { return fmt.Appendf(nil, "LOST %d\n", n) }, false)
			total := 0
			for range 8 {
				out.mood.Store(r.Int32N(4))
				for range r.IntN(3000) {
					level := zapcore.InfoLevel
					if r.IntN(10) == 0 {
						level = zapcore.ErrorLevel
					}
					s.WriteLine(level, fmt.Appendf(nil, "%d:%s;\n", total, strings.Repeat("x", r.IntN(900))))
					total++
				}
				if r.IntN(2) == 0 {
					s.AddLost(3)
					total += 3
				}
				synctest.Wait()
				time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			}
			unsaid, _ := s.Close()
			written, said, torn := map[string]bool{}, uint64(0), 0
			for line := range strings.Lines(out.text.String()) {
				var n uint64
				number, _, whole := strings.Cut(line, ":")
				switch _, err := fmt.Sscanf(line, "LOST %d\n", &n); {
				case err == nil && strings.HasSuffix(line, "\n"):
					said += n
				case !whole || !strings.HasSuffix(line, ";\n"):
					torn++
				case written[number]:
					t.Errorf("seed %d: line %s is written twice", seed, number)
				default:
					written[number] = true
				}
			}
			lost := s.Status().Lost
			if torn > 1 || len(written)+int(lost) != total || said+unsaid != lost {
				t.Errorf("seed %d: of %d lines %d are written, %d lost, %d torn; %d were said, %d not", seed, total, len(written), lost, torn, said, unsaid)
			}
		})
	}
}
