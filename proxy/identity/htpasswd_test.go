package identity

import (
	"strings"
	"testing"
)

const someHash = "$2y$05$abcdefghijklmnopqrstuu5Ljq4F4Rz5Bd8qA3V9mQhQ1n0Yk0b0W"

func TestParseHtpasswd(t *testing.T) {
	t.Parallel()
	file := strings.Join([]string{
		"\xef\xbb\xbf# a comment", "", "app:" + someHash, "  other:" + strings.Replace(someHash, "$2y", "$2b", 1) + "  ", // 1 to 4
		"nocolon", "sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "md5:$apr1$x$y", "crypt:rqXexS6ZhobKA", // 5 to 8
		"app:" + someHash, ":" + someHash, "_x:" + someHash, "slow:" + strings.Replace(someHash, "$05$", "$20$", 1), // 9 to 12
		"bad:" + someHash[:59] + "\x01" + "x", "_authToken:secret", // 13 and 14
	}, "\r\n")
	users, problems := ParseHtpasswd([]byte(file))
	if len(users) != 2 || users["app"] == nil || users["other"] == nil {
		t.Errorf("users: %v", users)
	}
	want := []string{
		"line 5: not of the form", "line 6: not a bcrypt hash", "line 7: not", "line 8: not",
		`line 9: user "app" is already there`, "line 10: client name: it is empty", "line 11: client name", "line 12: cost 20", "line 13: ", "line 14: not a bcrypt hash",
	}
	if len(problems) != len(want) {
		t.Fatalf("problems: %v", problems)
	}
	for i, p := range problems {
		if !strings.HasPrefix(p.Error(), want[i]) {
			t.Errorf("problem %q, want %q", p, want[i])
		}
		if strings.Contains(p.Error(), "$2") || strings.Contains(p.Error(), "W6ph5") || strings.Contains(p.Error(), "Token") {
			t.Errorf("a problem repeats a hash or another secret: %s", p)
		}
	}
}

func FuzzParseHtpasswd(f *testing.F) {
	f.Add([]byte("app:" + someHash + "\n# x\nbroken\n"))
	f.Add([]byte("\xef\xbb\xbfa:$2y$"))
	f.Fuzz(func(t *testing.T, data []byte) {
		users, problems := ParseHtpasswd(data)
		if users == nil {
			t.Fatal("no users at all would mean no authentication")
		}
		for user, hash := range users {
			if CheckName(user) != nil || checkHash(string(hash)) != "" {
				t.Fatalf("user %q was taken", user)
			}
		}
		if lines := strings.Count(string(data), "\n") + 1; len(users)+len(problems) > lines {
			t.Fatalf("%d lines gave %d users and %d problems", lines, len(users), len(problems))
		}
	})
}
