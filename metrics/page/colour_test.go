package page

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// luminance is that of WCAG 2, of a colour such as #1f6a5d or #fff.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	if len(colour) == 4 {
		colour = "#" + colour[1:2] + colour[1:2] + colour[2:3] + colour[2:3] + colour[3:] + colour[3:]
	}
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatalf("%q: %v", colour, err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// The parts of a bar differ in lightness, for readers who cannot see their hues:
// each from the other and from the background by 3:1 (WCAG 1.4.11), light and
// dark, on the page and in the HTML report.
func TestTheChartIsReadWithoutHue(t *testing.T) {
	t.Parallel()
	for file, ground := range map[string]string{"assets/page.css": "card", "../report/report.html": "ground"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		values := func(name string) (out []string) {
			for _, m := range regexp.MustCompile(`--`+name+`: (#[0-9a-f]+)`).FindAllSubmatch(text, -1) {
				out = append(out, string(m[1]))
			}
			if len(out) != 2 {
				t.Fatalf("%s: --%s has %d values, want a light and a dark one", file, name, len(out))
			}
			return out
		}
		grounds := values(ground)
		parts := [][]string{values("bar-insecure"), values("bar-mixed"), values("bar-silent"), values("bar-secure")} // from below
		for i, scheme := range []string{"light", "dark"} {
			pairs := [][2]string{{parts[0][i], parts[3][i]}} // of a client's page
			for n, part := range parts {
				pairs = append(pairs, [2]string{grounds[i], part[i]})
				if n > 0 {
					pairs = append(pairs, [2]string{parts[n-1][i], part[i]})
				}
			}
			for _, pair := range pairs {
				a, b := luminance(t, pair[0]), luminance(t, pair[1])
				if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < 3 {
					t.Errorf("%s, %s: %s on %s is %.2f:1", file, scheme, pair[1], pair[0], ratio)
				}
			}
		}
	}
}
