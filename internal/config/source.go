package config

// source is a CSV file that tags_from names.
type source struct {
	file  string // absolute
	shown string // as messages name it
	path  path
}

// text is a scalar as it stands in the file.
type text struct {
	value string
	plain bool // not quoted, so that 1 is a number and true a bool
}
