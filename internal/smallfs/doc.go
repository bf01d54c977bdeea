// Package smallfs gives tests a file system of few bytes that they can fill, so
// that a full disk is a real one.
package smallfs
