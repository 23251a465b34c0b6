package configs

// applyFlags merges the command line into c.
func (l *loader) applyFlags(c *Config, f Flags) {
	from := func(name string) origin { return origin{file: FromFlag, name: name} }
	if len(f.Listen) > 0 {
		listens.replace(l, &c.Listen, from("--listen"), f.Listen)
	}
	if f.Admin != nil {
		merge(l, "admin.address", from("--admin"), adminAddress, *f.Admin, &c.Admin.Address)
	}
	if len(f.Upstreams) > 0 {
		upstreams.replace(l, &c.Upstreams, from("--upstream"), f.Upstreams)
	}
	if f.LogLevel != nil {
		merge(l, "log.level", from("--log-level"), levelKind, *f.LogLevel, &c.Log.Level)
	}
	if f.LogFormat != nil {
		merge(l, "log.format", from("--log-format"), formatKind, *f.LogFormat, &c.Log.Format)
	}
}
