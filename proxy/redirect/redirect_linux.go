package redirect

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

const chainName = "output"

func table() *nftables.Table {
	return &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
}

// Apply installs rules in the network namespace of the calling thread. It replaces
// existing rules in one transaction, so no connection escapes both or is redirected
// by both. Apply is idempotent.
func Apply(r Rules) error {
	if err := r.Validate(); err != nil {
		return err
	}
	conn, err := nftables.New()
	if err != nil {
		return explain("open netlink", err)
	}
	// Deleting a table that does not exist fails, so it is added first.
	conn.AddTable(table())
	conn.DelTable(table())
	t := conn.AddTable(table())
	chain := conn.AddChain(&nftables.Chain{
		Name: chainName, Table: t, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	for _, exprs := range r.expressions() {
		conn.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: exprs})
	}
	return explain("change the netfilter rules", conn.Flush())
}

// Remove removes the rules and reports whether there were any. Connections that
// were redirected stay redirected until they end.
func Remove() (bool, error) {
	conn, there, err := find()
	if err != nil || !there {
		return false, err
	}
	conn.DelTable(table())
	if err := conn.Flush(); err != nil {
		return false, explain("remove the netfilter rules", err)
	}
	return true, nil
}

// Status returns the rules that the kernel has. ok is false if there are none.
func Status() (r Rules, ok bool, err error) {
	conn, there, err := find()
	if err != nil || !there {
		return Rules{}, false, err
	}
	rules, err := conn.GetRules(table(), &nftables.Chain{Name: chainName, Table: table()})
	if errors.Is(err, syscall.ENOENT) {
		return Rules{}, true, ErrForeign
	}
	if err != nil {
		return Rules{}, true, explain("read the netfilter rules", err)
	}
	r, err = parse(rules)
	return r, true, err
}

// find reports whether the table exists.
func find() (*nftables.Conn, bool, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, false, explain("open netlink", err)
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, false, explain("read the netfilter rules", err)
	}
	for _, t := range tables {
		if t.Name == TableName {
			return conn, true, nil
		}
	}
	return conn, false, nil
}

// explain adds what was being done and, if known, what is missing.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		switch errno {
		case unix.EPERM, unix.EACCES:
			return fmt.Errorf("%s: %w: %w", doing, ErrPermission, err)
		case unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.ENOENT:
			return fmt.Errorf("%s: %w (Linux 5.2 with nf_tables, nft_chain_nat and nft_redir is needed): %w", doing, ErrUnsupported, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
