package proxy

import (
	"fmt"

	"tlslift/configs"
	"tlslift/proxy/front"
)

// Reload puts a configuration in force as a whole or, with an error, not at
// all. Listeners must be the same ones (configs.Config.RestartDiff); requests
// under way finish with what they began with.
func (s *Server) Reload(cfg *configs.Config) error {
	st, err := s.newSettings(cfg)
	if err != nil {
		return err
	}
	up, err := s.upstreamOptions(cfg)
	if err != nil {
		return err
	}
	if err := s.transport.Reconfigure(up); err != nil {
		return fmt.Errorf("reconfigure the upstream side: %w", err)
	}
	s.adoptCA(st)
	s.settings.Store(st)
	s.shared.SetLimits(frontLimits(cfg.Limits))
	return nil
}

// frontLimits maps the configuration's limits to the front's.
func frontLimits(l configs.Limits) front.Limits {
	return front.Limits{
		HeaderBytes:          int(l.HeaderBytes),
		BodyBytes:            l.BodyBytes,
		Connections:          l.Connections,
		ConnectionsPerClient: l.ConnectionsPerClient,
		HeaderTimeout:        l.HeaderTimeout,
		BodyTimeout:          l.BodyTimeout,
		IdleTimeout:          l.IdleTimeout,
	}
}
