// Package problem answers in the caller's own language when tlslift itself has
// to answer: an api_result document on the legacy HTTP API, a SOAP fault on
// the web service, JSON on REST, text elsewhere. It is pure.
package problem
