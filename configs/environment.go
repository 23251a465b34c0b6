package configs

import (
	"regexp"
	"slices"
	"strings"
)

const envPrefix = "TLSLIFT_"

// variableNames returns the names of the environment variables that are read.
func variableNames() []string {
	return []string{
		envPrefix + "CONFIG",
		envPrefix + "LISTEN",
		envPrefix + "ADMIN",
		envPrefix + "ADMIN_PUBLIC",
		envPrefix + "WORKLOAD",
		envPrefix + "LOG_LEVEL",
		envPrefix + "LOG_FORMAT",
		envPrefix + "CA_CERT",
		envPrefix + "CA_KEY",
	}
}

// variables returns the TLSLIFT_ part of an environment. Of a variable that is
// there twice the last one counts, as for os/exec. Empty ones are left out: an
// unset field of a manifest arrives as an empty variable.
func variables(env []string) map[string]string {
	found := make(map[string]string)
	for _, entry := range env {
		name, text, ok := strings.Cut(entry, "=")
		if ok && strings.HasPrefix(name, envPrefix) {
			found[name] = text
		}
	}
	for name, text := range found {
		if text == "" {
			delete(found, name)
		}
	}
	return found
}

// applyEnvironment merges the environment into c.
func (l *loader) applyEnvironment(c *Config, env []string) {
	vars := variables(env)
	l.unknownVariables(vars)

	from := func(name string) origin { return origin{file: FromEnvironment, name: envPrefix + name} }
	set := func(name, path string, k kind[string], into *string) {
		if text, ok := vars[envPrefix+name]; ok {
			merge(l, path, from(name), k, text, into)
		}
	}
	if text, ok := vars[envPrefix+"LISTEN"]; ok {
		listens.replace(l, &c.Listen, from("LISTEN"), strings.Split(text, ","))
	}
	set("ADMIN", "admin.address", adminAddress, &c.Admin.Address)
	set("ADMIN_PUBLIC", "admin.public", adminAddress, &c.Admin.Public)
	set("WORKLOAD", "clients.workload", clientName, &c.Clients.Workload)
	if text, ok := vars[envPrefix+"LOG_LEVEL"]; ok {
		merge(l, "log.level", from("LOG_LEVEL"), levelKind, text, &c.Log.Level)
	}
	if text, ok := vars[envPrefix+"LOG_FORMAT"]; ok {
		merge(l, "log.format", from("LOG_FORMAT"), formatKind, text, &c.Log.Format)
	}
	if vars[envPrefix+"CA_CERT"] == "" && vars[envPrefix+"CA_KEY"] == "" {
		return
	}
	if c.LegacyTLS.CA == nil {
		c.LegacyTLS.CA = new(KeyPair)
	}
	here := &loader{readable: l.readable} // relative paths start at the working directory
	set("CA_CERT", "legacy_tls.ca.cert_file", here.inputFile("ca.pem"), &c.LegacyTLS.CA.CertFile)
	set("CA_KEY", "legacy_tls.ca.key_file", here.inputFile("ca-key.pem"), &c.LegacyTLS.CA.KeyFile)
}

// unknownVariables reports what is misspelled, or was meant for another version.
func (l *loader) unknownVariables(vars map[string]string) {
	known, services := variableNames(), services(vars)
	var unknown []string
	for name := range vars {
		if !slices.Contains(known, name) && !madeByKubernetes(name, services) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		fix := "remove it; the variables are " + strings.Join(known, ", ")
		if near := nearest(name, known); near != "" {
			fix = "did you mean " + near + "?"
		}
		l.report(Problem{FromEnvironment, 0, printable(name), "unknown variable", fix})
	}
}

// serviceVariable matches the end of what Kubernetes sets for a Service: its own
// variables and those of Docker's links.
var serviceVariable = regexp.MustCompile(
	`^(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// services returns the beginnings of the variables that Kubernetes may have set:
// for a Service called tlslift, and for those whose name only begins so, such as
// tlslift-gateway. The latter are believed in only when their host and port are
// there, as they always are.
func services(vars map[string]string) []string {
	found := []string{envPrefix}
	for name := range vars {
		service, ok := strings.CutSuffix(name, "SERVICE_HOST")
		if ok && service != envPrefix && strings.HasSuffix(service, "_") && vars[service+"SERVICE_PORT"] != "" {
			found = append(found, service)
		}
	}
	return found
}

// madeByKubernetes reports whether Kubernetes set the variable for one of the
// services.
func madeByKubernetes(name string, services []string) bool {
	return slices.ContainsFunc(services, func(service string) bool {
		rest, ok := strings.CutPrefix(name, service)
		return ok && serviceVariable.MatchString(rest)
	})
}
