// Package problem renders the answers that tlslift itself gives, in the format that
// the caller expects: an api_result document on the legacy HTTP API, a SOAP fault on
// the web service, JSON on REST, text elsewhere. It is pure.
package problem
