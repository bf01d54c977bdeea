package engine

// RaiseForTest raises an alarm that stays until it is acknowledged.
func RaiseForTest(e *Engine, kind, message string) { e.alarmFor(kind, "", message) }
