package config

// source is a CSV file that tags_from names.
type source struct {
	file string
	pos  Pos
}

// text is a scalar as it stands in the file.
type text struct {
	value string
	plain bool // not quoted, so that 1 is a number and true a bool
	pos   Pos
}
