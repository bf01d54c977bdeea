package steps

import "testing"

func TestDSN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ driver, dsn, want string }{
		{"sqlite", "plant.db", "plant.db?_busy_timeout=5000&_txlock=immediate"},
		{"sqlite", "file:plant.db?mode=ro", "file:plant.db?mode=ro&_busy_timeout=5000&_txlock=immediate"},
		{"sqlite", "plant.db?_pragma=busy_timeout(100)&_txlock=deferred", "plant.db?_pragma=busy_timeout(100)&_txlock=deferred"},
		{"mysql", "user:pw@tcp(127.0.0.1:3306)/mes", "user:pw@tcp(127.0.0.1:3306)/mes?parseTime=true"},
		{"mysql", "nonsense", "nonsense"},
	} {
		d, ok := dialectOf(c.driver)
		if !ok {
			t.Fatalf("no dialect %s", c.driver)
		}
		if got := d.dsn(c.dsn); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	lite, _ := dialectOf("sqlite")
	for dsn, want := range map[string]bool{":memory:": true, "file:x?mode=memory": true, "plant.db": false} {
		if lite.private(dsn) != want {
			t.Errorf("%s is private: %v", dsn, !want)
		}
	}
}
