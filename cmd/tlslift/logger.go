package main

import (
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/configs"
	"tlslift/metrics/figures"
	"tlslift/proxy/logsink"
)

// timeLayout is the format of times in the log: RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// logging is the logger, with what is needed to change and close it.
type logging struct {
	*zap.Logger
	level   zap.AtomicLevel
	console bool
	sink    *logsink.Sink
}

// newLogging makes the logger. It writes JSON lines with ts, level and msg, or
// lines for people. None of its methods waits for the reader of out.
func newLogging(c configs.Log, out io.Writer) *logging {
	enc := zapcore.EncoderConfig{
		TimeKey:        "ts",
		LevelKey:       "level",
		MessageKey:     "msg",
		LineEnding:     zapcore.DefaultLineEnding,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeTime:     zapcore.TimeEncoderOfLayout(timeLayout),
		EncodeDuration: zapcore.SecondsDurationEncoder,
	}
	encoder := zapcore.NewJSONEncoder(enc)
	if c.Console {
		enc.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	l := &logging{level: zap.NewAtomicLevelAt(c.Level), console: c.Console, sink: logsink.New(out, lostLine(encoder), isJournal(out))}
	l.Logger = zap.New(&sinkCore{LevelEnabler: l.level, encoder: encoder, sink: l.sink})
	return l
}

// lostLine makes the line that says how many log lines were lost.
func lostLine(encoder zapcore.Encoder) func(uint64) []byte {
	return func(lines uint64) []byte {
		entry := zapcore.Entry{Level: zap.WarnLevel, Time: time.Now(), Message: "log lines lost"}
		b, err := encoder.EncodeEntry(entry, []zapcore.Field{zap.Uint64("lines", lines)})
		if err != nil { // neither encoder fails on a number
			return nil
		}
		return b.Bytes()
	}
}

// trouble returns a sentence about what is wrong with the log now, or "".
func (l *logging) trouble() string {
	st := l.sink.Status()
	if !st.Behind {
		return ""
	}
	if st.Lost == 0 {
		return "The log is not read, or its disk is full: its newest lines wait."
	}
	return "The log is not read, or its disk is full: " + figures.Plural(int(st.Lost), "line is", "lines are") + " lost."
}

// sinkCore passes lines to the sink with their level, so that the sink can drop
// those of lower levels first. zap's own core cannot do this.
type sinkCore struct {
	zapcore.LevelEnabler
	encoder zapcore.Encoder
	sink    *logsink.Sink
}

// With implements zapcore.Core.
func (c *sinkCore) With(fields []zapcore.Field) zapcore.Core {
	clone := *c
	clone.encoder = c.encoder.Clone()
	for _, f := range fields {
		f.AddTo(clone.encoder)
	}
	return &clone
}

// Check implements zapcore.Core.
func (c *sinkCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements zapcore.Core.
func (c *sinkCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	line, err := c.encoder.EncodeEntry(e, fields)
	if err != nil {
		return err
	}
	c.sink.WriteLine(e.Level, line.Bytes())
	line.Free()
	return nil
}

// Sync implements zapcore.Core. It does nothing, because nothing waits for the
// log's reader.
func (c *sinkCore) Sync() error { return nil }
