echo "weekly report"
