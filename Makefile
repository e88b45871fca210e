# Every chore lives in run.py, which needs Python alone; this only makes them words of make.
CHORES := setup demo test fast lint fix docs notebooks bench wheel pin

.PHONY: $(CHORES)
$(CHORES):
	@python3 run.py $@
