package redirect

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// register is the register that passes a value from one expression to the next.
const register = 1

// loopback is the name of the loopback interface, padded with zeros to the kernel's
// IFNAMSIZ of 16 bytes.
var loopback = append([]byte("lo"), make([]byte, 14)...)

// expressions returns the rules as kernel expressions, in the order in which the
// kernel evaluates them.
func (r Rules) expressions() [][]expr.Any {
	rules := make([][]expr.Any, 0, len(r.ExceptUIDs)+1+len(r.Ports))
	for _, uid := range r.ExceptUIDs {
		// meta skuid UID return
		rules = append(rules, []expr.Any{
			&expr.Meta{Key: expr.MetaKeySKUID, Register: register}, equal(binary.NativeEndian.AppendUint32(nil, uid)), leave(),
		})
	}
	// oifname "lo" return: 127.0.0.0/8, ::1 and the machine's own addresses.
	rules = append(rules, []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: register}, equal(loopback), leave()})
	for _, port := range r.Ports {
		rules = append(rules, r.redirect(port))
	}
	return rules
}

// redirect returns the rule that nft writes as tcp dport PORT redirect to :TO.
func (r Rules) redirect(port uint16) []expr.Any {
	var exprs []expr.Any
	if r.IPv4Only {
		exprs = append(exprs, &expr.Meta{Key: expr.MetaKeyNFPROTO, Register: register}, equal([]byte{unix.NFPROTO_IPV4}))
	}
	return append(exprs,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register}, equal([]byte{unix.IPPROTO_TCP}),
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, equal(binary.BigEndian.AppendUint16(nil, port)),
		&expr.Immediate{Register: register, Data: binary.BigEndian.AppendUint16(nil, r.To)},
		&expr.Redir{RegisterProtoMin: register, RegisterProtoMax: register, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED},
	)
}

func equal(data []byte) *expr.Cmp {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data}
}

func leave() *expr.Verdict { return &expr.Verdict{Kind: expr.VerdictReturn} }

// parse is the inverse of expressions. It returns ErrForeign for rules that Apply
// would write differently.
func parse(rules []*nftables.Rule) (Rules, error) {
	var r Rules
	for _, rule := range rules {
		r.take(rule.Exprs)
	}
	want := r.expressions()
	if r.Validate() != nil || len(want) != len(rules) {
		return r, ErrForeign
	}
	for i, exprs := range want {
		if !slices.EqualFunc(exprs, rules[i].Exprs, sameExpression) {
			return r, ErrForeign
		}
	}
	return r, nil
}

// take adds the values of one kernel rule to r.
func (r *Rules) take(exprs []expr.Any) {
	for i := 0; i+1 < len(exprs); i++ {
		cmp, isCmp := exprs[i+1].(*expr.Cmp)
		switch e := exprs[i].(type) {
		case *expr.Meta:
			switch {
			case isCmp && e.Key == expr.MetaKeySKUID && len(cmp.Data) == 4:
				r.ExceptUIDs = append(r.ExceptUIDs, binary.NativeEndian.Uint32(cmp.Data))
			case isCmp && e.Key == expr.MetaKeyNFPROTO:
				r.IPv4Only = true
			}
		case *expr.Payload:
			if isCmp && len(cmp.Data) == 2 {
				r.Ports = append(r.Ports, binary.BigEndian.Uint16(cmp.Data))
			}
		case *expr.Immediate:
			if len(e.Data) == 2 {
				r.To = binary.BigEndian.Uint16(e.Data)
			}
		}
	}
}

// sameExpression reports whether a and b have the same encoding for the kernel.
func sameExpression(a, b expr.Any) bool {
	x, err := expr.Marshal(byte(nftables.TableFamilyINet), a)
	if err != nil {
		return false
	}
	y, err := expr.Marshal(byte(nftables.TableFamilyINet), b)
	return err == nil && bytes.Equal(x, y)
}
