package opcua

// CheckURL tells whether s is a URL that New takes. The error says what is
// allowed.
func CheckURL(s string) error {
	_, err := hostPort(s)
	return err
}
