package admin

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// metricsHandler serves metrics in the format that the scraper asks for: text,
// OpenMetrics with exemplars, or protobuf with native histograms.
func metricsHandler(g prometheus.Gatherer, log *zap.Logger) http.Handler {
	return newGate(maxScrapes, maxScrapesOfPeer).bound(promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorLog:          scrapeLog{log},
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
	}))
}

// scrapeLog logs promhttp's errors. They contain metric names and label values,
// which hold no secrets but may be long.
type scrapeLog struct{ log *zap.Logger }

func (l scrapeLog) Println(v ...any) {
	text := fmt.Sprint(v...)
	if len(text) > 300 {
		text = text[:300]
	}
	l.log.Warn("metrics scrape failed", zap.String("detail", text))
}
