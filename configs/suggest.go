package configs

import "strings"

// suggest says what to do about a key that is not among keys: a name like it,
// the place where that name belongs, or the names that there are.
func suggest(at, name string, keys []key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	if near := nearest(name, names); near != "" {
		return "did you mean " + keyOf(at, near) + "?"
	}
	if elsewhere := valuesCalled(name, "", schema()); len(elsewhere) == 1 {
		return "did you mean " + elsewhere[0] + "?"
	}
	return "remove it; the keys here are " + strings.Join(names, ", ")
}

// valuesCalled returns the paths of the keys called name that hold a value, in
// the sections that there is one of.
func valuesCalled(name, prefix string, keys []key) []string {
	var found []string
	for _, k := range keys {
		switch path := prefix + k.name; {
		case k.keys == nil && k.name == name:
			found = append(found, path)
		case k.shape == plain || k.shape == pointed:
			found = append(found, valuesCalled(name, path+".", k.keys)...)
		}
	}
	return found
}

// nearest returns the one of the names that a slip of the keyboard turns into
// name, or "".
func nearest(name string, names []string) string {
	const longest = 64 // of a name worth comparing
	if len(name) > longest {
		return ""
	}
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	best, distance := "", len(name)/3+1
	for _, candidate := range names {
		if d := edits(name, strings.ToLower(candidate)); d <= distance {
			if d < distance || best == "" {
				best, distance = candidate, d
			}
		}
	}
	return best
}

// edits returns the Levenshtein distance of a and b, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
