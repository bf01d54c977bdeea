package engine

import (
	"context"
	"errors"

	"holdfast/engine/mailbox"
	"holdfast/engine/value"
)

// Send puts a message into another run's mailbox, once: a message without a
// UUID gets one of this run and this place in its record, so that a replay
// cannot send it twice.
func (r *Run) Send(to string, m Message) error {
	if m.Topic == "" {
		m.Topic = mailbox.TopicCommand
	}
	args, err := value.Encode(value.NewMap("workflowId", to, "message", m.Body, "topic", m.Topic, "messageUUID", m.UUID))
	if err != nil {
		return err
	}
	_, err = r.Step(Call{Step: sendStep{r.eng}, Args: args})
	return err
}

// sendStep is the step behind Send. It is safe to attempt again, for a seen
// UUID is dropped.
type sendStep struct{ eng *Engine }

func (sendStep) Name() string { return "rt.send" }

func (sendStep) Params() []Param {
	return []Param{{Name: "workflowId", Required: true}, {Name: "message", Required: true}, {Name: "topic"}, {Name: "messageUUID"}}
}

func (sendStep) Effect(Args) bool { return true }

func (s sendStep) Run(ctx context.Context, a Args) (any, error) {
	to, err := a.String("workflowId")
	if err != nil {
		return nil, err
	}
	topic, err := a.String("topic")
	if err != nil {
		return nil, err
	}
	uuid, err := a.String("messageUUID")
	if err != nil {
		return nil, err
	}
	if uuid == "" {
		uuid = a.Key.String()
	}
	body, err := value.Encode(a.Value("message"))
	if err != nil {
		return nil, err
	}
	_, err = s.eng.Send(ctx, to, Message{Topic: topic, Body: body, UUID: uuid, Actor: "run " + a.Key.Run})
	var p *Problem
	if errors.As(err, &p) {
		kind := map[Code]string{NotFound: "NoSuchRun", Refused: "RunEnded", BadRequest: "BadArgument", Unavailable: "Unavailable"}[p.Code]
		return nil, Errorf(kind, "%s", p.Message)
	}
	return nil, err
}
