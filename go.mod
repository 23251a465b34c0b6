module tlslift

go 1.26
