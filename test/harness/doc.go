// Package harness runs the real binary for the end-to-end and the interop
// tests: it builds it once, writes its configuration, starts it on free ports,
// reads its log as it is written, scrapes its metrics, and speaks to it byte
// for byte.
package harness
