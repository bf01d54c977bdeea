package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopcua/opcua/ua"
)

const uaTCPProfile = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"

// endpoints asks the server what it offers, on a channel of its own without
// security, as OPC 10000-4, 5.5.4 has it.
func endpoints(ctx context.Context, s settings) ([]*ua.EndpointDescription, error) {
	c, err := openChannel(ctx, s, peer{policyURI: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}, nil, nil)
	if err != nil {
		return nil, err
	}
	defer c.close(errors.New("discovery is done"))
	r, err := call[*ua.GetEndpointsResponse](ctx, c, &ua.GetEndpointsRequest{EndpointURL: s.URL})
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the server's endpoints: %w", err)
	}
	return r.Endpoints, nil
}

// choose returns the endpoint of exactly the wanted policy and mode.
func choose(eps []*ua.EndpointDescription, policyURI string, mode ua.MessageSecurityMode) (*ua.EndpointDescription, error) {
	var offered []string
	for _, e := range eps {
		if e == nil || e.TransportProfileURI != "" && e.TransportProfileURI != uaTCPProfile {
			continue
		}
		if e.SecurityPolicyURI == policyURI && e.SecurityMode == mode {
			return e, nil
		}
		if o := policyName(e.SecurityPolicyURI) + "/" + modeName(e.SecurityMode); !slices.Contains(offered, o) {
			offered = append(offered, o)
		}
	}
	if len(offered) == 0 {
		return nil, errors.New("the server offers no endpoint of OPC UA over TCP")
	}
	slices.Sort(offered)
	return nil, fmt.Errorf("the server does not offer %s/%s; it offers %s", policyName(policyURI), modeName(mode), strings.Join(offered, ", "))
}
