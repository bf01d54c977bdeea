package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"holdfast/gateway/tag"
	"holdfast/internal/control/wire"
)

// Tags returns all tags with what the process image has of them; no device is asked.
func (c *Client) Tags(ctx context.Context) (tags []wire.Tag, err error) {
	err = c.get(ctx, "/v1/tags", nil, &tags)
	return tags, err
}

// ReadTags reads tags; a device is asked where the image has no recent sample.
func (c *Client) ReadTags(ctx context.Context, paths ...string) (tags []wire.Tag, err error) {
	err = c.get(ctx, "/v1/tags/values", url.Values{"path": paths}, &tags)
	return tags, err
}

// WatchTags calls each with what is known of the tags and then with every new
// sample, until ctx ends or each returns an error.
func (c *Client) WatchTags(ctx context.Context, paths []string, each func(wire.Tag) error) error {
	return c.stream(ctx, "/v1/tags/watch", url.Values{"path": paths}, func(l wire.Line) error {
		if l.Tag == nil {
			return nil
		}
		return each(*l.Tag)
	})
}

// WriteTag writes a tag, within its guards. All three outcomes are answers, not
// errors; an error with the code Unknown says that even the daemon's answer did
// not come.
func (c *Client) WriteTag(ctx context.Context, path string, v tag.Value) (w wire.Written, err error) {
	err = c.post(ctx, "/v1/tags/write", 0, wire.Write{Path: path, Value: v}, &w)
	return w, err
}

// ConfirmTag waits, for wait at most, until a sample of the tag that was taken
// after a moment has the value. It changes nothing.
func (c *Client) ConfirmTag(ctx context.Context, path string, v tag.Value, after time.Time, wait time.Duration) (ok wire.Confirmed, err error) {
	text, err := v.MarshalJSON()
	if err != nil {
		return ok, &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	err = c.get(ctx, "/v1/tags/confirm", url.Values{
		"path": {path}, "value": {string(text)}, "after": {after.UTC().Format(time.RFC3339Nano)},
		"wait_ms": {strconv.FormatInt(max(wait.Milliseconds(), 0), 10)},
	}, &ok)
	return ok, err
}
