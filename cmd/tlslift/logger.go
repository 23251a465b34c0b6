package main

import (
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/configs"
	"tlslift/proxy"
	"tlslift/proxy/logsink"
)

// logging is the logger and what is needed to change and close it.
type logging struct {
	*zap.Logger
	level zap.AtomicLevel
	sink  *logsink.Sink
	lines io.Writer // of outcomes; nil where the format is not JSON
}

// newLogging makes the logger: JSON lines with ts, level and msg, or lines for
// people.
func newLogging(c configs.Log, out io.Writer) *logging {
	enc := zapcore.EncoderConfig{
		TimeKey:        "ts",
		LevelKey:       "level",
		MessageKey:     "msg",
		LineEnding:     zapcore.DefaultLineEnding,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeTime:     zapcore.TimeEncoderOfLayout(proxy.TimeLayout),
		EncodeDuration: zapcore.SecondsDurationEncoder,
	}
	encoder := zapcore.NewJSONEncoder(enc)
	if c.Format == configs.FormatConsole {
		enc.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	l := &logging{level: zap.NewAtomicLevelAt(zapLevel(c.Level)), sink: logsink.New(out)}
	if c.Format != configs.FormatConsole {
		l.lines = l.sink
	}
	l.Logger = zap.New(zapcore.NewCore(encoder, l.sink, l.level))
	return l
}

func zapLevel(l configs.LogLevel) zapcore.Level {
	level, err := zapcore.ParseLevel(string(l))
	if err != nil {
		return zapcore.InfoLevel
	}
	return level
}
