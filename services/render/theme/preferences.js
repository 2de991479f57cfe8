try{var l=JSON.parse(localStorage.getItem("presstally-look")||"{}"),d=document.documentElement.dataset;if(l.size)d.size=l.size;if(l.contrast)d.contrast="high"}catch(e){}
