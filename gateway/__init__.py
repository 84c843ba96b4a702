"""The program in the home: hear, keep, deliver. It carries readings; it does not judge them."""
