package configs

import (
	"fmt"
	"slices"
	"strings"
)

// checkPolicy finds dates that contradict each other. None is compared with
// today: a configuration does not turn wrong by waiting.
func (l *loader) checkPolicy(c *Policy) {
	const sunset = "policy.default.sunset"
	if !c.Default.Sunset.IsZero() && c.Default.Action == ActionRefuse && l.sound(sunset, "policy.default.action") {
		l.reject(sunset, &fault{
			"has no effect: the action is refuse, which is from now on", "remove it, or set the action to warn",
		})
	}
	for _, name := range sortedNames(c.Clients) {
		l.checkClientPolicy(spot{path: "policy.clients"}.named(name).path, c.Clients[name])
	}
	for i, b := range c.Brownouts {
		at := fmt.Sprintf("policy.brownouts[%d]", i)
		if !b.From.IsZero() && !b.Until.IsZero() && !b.Until.After(b.From) {
			l.reject(at+".until", &fault{"is not after from", "write a later time"})
		}
		if len(b.Clients) > 1 && slices.Contains(b.Clients, everyone) {
			l.reject(at+".clients", &fault{`"*" is all clients, the others named here too`, `write "*" alone, or names alone`})
		}
	}
}

func (l *loader) checkClientPolicy(at string, c ClientPolicy) {
	if c.Waiver != nil && !c.Waiver.Until.IsZero() && !c.Sunset.IsZero() && !c.Waiver.Until.After(c.Sunset) {
		l.reject(at+".waiver.until", &fault{"has no effect: it is not after the sunset", "write a later date, or remove the waiver"})
	}
	if c.Waiver != nil && !c.Migrated.IsZero() {
		l.reject(at+".waiver", &fault{"is for a client that is declared migrated", "remove the waiver or migrated"})
	}
}

func sortedNames(clients map[string]ClientPolicy) []string {
	names := make([]string, 0, len(clients))
	for name := range clients {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
